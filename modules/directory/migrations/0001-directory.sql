-- Customers, their sites and devices, and the tokens by which agents enrol.

select mainstay.open_schema('directory');

create table directory.customer (
  id uuid primary key,
  name text not null,
  state text not null default 'active' check (state in ('active', 'archived')),
  created_at timestamptz not null default now()
);
create unique index customer_name on directory.customer (lower(name));

create table directory.site (
  id uuid primary key,
  customer_id uuid not null references directory.customer,
  name text not null,
  time_zone text not null,
  created_at timestamptz not null default now(),
  unique (id, customer_id)
);
create unique index site_name on directory.site (customer_id, lower(name));

create table directory.device (
  id uuid primary key,
  customer_id uuid not null references directory.customer,
  site_id uuid not null,
  name text not null,
  kind text not null check (kind in ('server', 'workstation', 'virtual-machine', 'appliance', 'network')),
  state text not null check (state in ('pending', 'active', 'archived')),
  facts jsonb not null default '{}',
  -- The agent's Ed25519 public key, base64url; null: no agent.
  agent_key text unique,
  agent_version text,
  agent_connected boolean not null default false,
  agent_last_seen_at timestamptz,
  agent_clock_offset_ms bigint,
  created_at timestamptz not null default now(),
  -- A device cannot stand at another customer's site.
  foreign key (site_id, customer_id) references directory.site (id, customer_id)
);
create unique index device_name on directory.device (customer_id, lower(name)) where state <> 'archived';
create index device_site on directory.device (site_id);

create table directory.enrolment_token (
  id uuid primary key,
  customer_id uuid not null references directory.customer,
  site_id uuid not null,
  secret_hash bytea not null,
  approval text not null check (approval in ('by-technician', 'automatic')),
  uses integer not null default 0 check (uses <= uses_max),
  uses_max integer not null check (uses_max between 1 and 1000),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  created_at timestamptz not null default now(),
  created_by uuid,
  foreign key (site_id, customer_id) references directory.site (id, customer_id)
);
create index enrolment_token_customer on directory.enrolment_token (customer_id, id desc);

-- A customer's own row is its scope.
alter table directory.customer enable row level security;
alter table directory.customer force row level security;
create policy customer_scope on directory.customer using (mainstay.in_scope(id)) with check (mainstay.in_scope(id));

select mainstay.protect_by_customer('directory.site');
select mainstay.protect_by_customer('directory.device');
select mainstay.protect_by_customer('directory.enrolment_token');
