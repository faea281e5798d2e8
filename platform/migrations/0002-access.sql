-- Users, sessions, one-time links, rate limits, settings of the provider, and the audit log.

select mainstay.open_schema('access');

create table access.provider (
  one boolean primary key default true check (one),
  name text not null
);

create table access.user (
  id uuid primary key,
  email text not null unique check (email = lower(email)),
  name text not null,
  role text not null check (role in ('owner', 'technician', 'read-only')),
  state text not null default 'active' check (state in ('active', 'off')),
  -- argon2id in PHC form; null until the first password is set.
  password_hash text,
  -- Wrapped by the master key. A secret without totp_on_at waits for its first code.
  totp_secret bytea,
  totp_on_at timestamptz,
  -- The last time step that was used: a code seen on a screen cannot be used again.
  totp_last_step bigint,
  last_sign_in_at timestamptz,
  created_at timestamptz not null default now()
);

create table access.recovery_code (
  user_id uuid not null references access.user,
  code_hash bytea not null,
  used_at timestamptz,
  primary key (user_id, code_hash)
);

create table access.session (
  id uuid primary key,
  user_id uuid not null references access.user,
  token_hash bytea not null unique,
  signed_in_at timestamptz not null,
  last_seen_at timestamptz not null,
  expires_at timestamptz not null,
  address text not null,
  user_agent text not null
);
create index session_by_user on access.session (user_id);
create index session_by_expiry on access.session (expires_at);

-- purpose 'set-up': makes the first owner; 'sign-in': signs user_id in.
create table access.one_time_link (
  token_hash bytea primary key,
  purpose text not null check (purpose in ('set-up', 'sign-in')),
  user_id uuid references access.user,
  expires_at timestamptz not null,
  used_at timestamptz,
  check ((purpose = 'sign-in') = (user_id is not null))
);

-- Fixed windows of attempts; kept in the database so that a restart does not give new attempts.
create table access.attempt (
  subject text primary key,
  count integer not null,
  window_ends_at timestamptz not null
);

select mainstay.protect_for_system('access.provider');
select mainstay.protect_for_system('access.user');
select mainstay.protect_for_system('access.recovery_code');
select mainstay.protect_for_system('access.session');
select mainstay.protect_for_system('access.one_time_link');
select mainstay.protect_for_system('access.attempt');

select mainstay.open_schema('audit');

create table audit.entry (
  id uuid primary key,
  at timestamptz not null default now(),
  actor_kind text not null check (actor_kind in ('user', 'agent', 'peer', 'server')),
  actor_id text,
  actor_name text not null,
  action text not null,
  customer_id uuid,
  subject_kind text not null,
  subject_id text not null,
  subject_name text not null,
  before jsonb,
  after jsonb
);
create index entry_at on audit.entry (at desc, id desc);
create index entry_customer on audit.entry (customer_id, at desc);
create index entry_subject on audit.entry (subject_id, at desc);

-- A scope may add entries of its own customer, and provider-wide ones; it reads its own only.
alter table audit.entry enable row level security;
alter table audit.entry force row level security;
create policy read_own on audit.entry for select
  using (mainstay.in_scope(customer_id) or (customer_id is null and mainstay.is_system()));
create policy add_own on audit.entry for insert
  with check (mainstay.in_scope(customer_id) or (customer_id is null and mainstay.has_scope()));
select mainstay.append_only('audit.entry');
