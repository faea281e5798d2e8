-- Plans, vaults, repositories, runs, restore points and their replicas, recovery sessions, restore tests, evidence, peers.

select mainstay.open_schema('protection');

create table protection.plan (
  id uuid primary key,
  -- null: offered to every customer.
  customer_id uuid,
  name text not null,
  rpo_minutes integer not null check (rpo_minutes > 0),
  retention jsonb not null,
  replicate_to uuid,
  restore_test_every_hours integer,
  bandwidth_cap_bytes_per_second bigint,
  created_at timestamptz not null,
  unique nulls not distinct (customer_id, name)
);

create table protection.device_protection (
  device_id uuid primary key,
  customer_id uuid not null,
  plan_id uuid references protection.plan,
  sources jsonb not null,
  -- Without passwords: those are in probe_secrets, wrapped, by the probe's name.
  probes jsonb not null,
  probe_secrets bytea,
  machine jsonb not null
);
create index device_protection_plan on protection.device_protection (plan_id);

create table protection.vault (
  id uuid primary key,
  name text not null unique,
  kind text not null check (kind in ('local', 'mainstay')),
  address text,
  identity text,
  certificate_sha256 text,
  -- "PEER_ID.SECRET", wrapped.
  peer_credential bytea,
  state text not null check (state in ('ready', 'unreachable', 'not-measured')),
  state_detail text,
  used_bytes bigint,
  free_bytes bigint,
  measured_at timestamptz,
  created_at timestamptz not null,
  check ((kind = 'mainstay') = (address is not null and identity is not null and peer_credential is not null))
);

-- One device's store in one vault. A replica's repository has the password of the one it is copied from.
create table protection.repository (
  id uuid primary key,
  customer_id uuid not null,
  device_id uuid not null,
  vault_id uuid not null references protection.vault,
  password bytea not null,
  -- 'making' until the repository is known to be whole where it lies; making it again is harmless.
  state text not null check (state in ('making', 'ready')),
  size_bytes bigint not null default 0,
  verified_at timestamptz,
  created_at timestamptz not null,
  unique (device_id, vault_id)
);

-- Append-only credentials at /restic/ID/. The agent's is told to the agent again with each desired state, so it is wrapped;
-- a restic client's is shown once, so its hash is enough.
create table protection.rest_credential (
  username text primary key,
  customer_id uuid not null,
  repository_id uuid not null references protection.repository,
  holder text not null check (holder in ('agent', 'client')),
  secret_hash bytea not null,
  secret bytea,
  created_at timestamptz not null,
  unique (repository_id, holder),
  check ((holder = 'agent') = (secret is not null))
);

create table protection.run (
  id uuid primary key,
  -- The order in which things happened, whatever the clock said.
  happened bigint generated always as identity unique,
  customer_id uuid not null,
  device_id uuid not null,
  kind text not null check (kind in ('backup', 'replication', 'restore-test', 'verification', 'retention')),
  state text not null check (state in ('queued', 'running', 'succeeded', 'failed', 'interrupted')),
  work_id uuid,
  -- The id it was asked for under, before the agent began it and named it: whoever asked can go on asking by it.
  asked_as uuid unique,
  queued_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz,
  result jsonb,
  error jsonb,
  check ((state in ('succeeded', 'failed', 'interrupted')) = (finished_at is not null))
);
create index run_device on protection.run (device_id, kind, happened desc);
create index run_customer on protection.run (customer_id, happened desc);
create index run_open on protection.run (kind, device_id) where finished_at is null;

create table protection.restore_point (
  id text primary key check (id ~ '^[0-9a-f]{64}$'),
  happened bigint generated always as identity unique,
  customer_id uuid not null,
  device_id uuid not null,
  repository_id uuid not null references protection.repository,
  -- By this server's clock: a device's own could make good points look old, and retention would drop them.
  taken_at timestamptz not null,
  -- What the snapshot itself says.
  claimed_at timestamptz not null,
  kind text not null check (kind in ('image', 'files')),
  disks jsonb not null,
  read_bytes bigint,
  added_bytes bigint,
  duration_ms bigint,
  state text not null check (state in ('usable', 'damaged')),
  -- Retention has decided that it goes; its snapshot is removed after this mark, never before.
  dropped_at timestamptz
);
create index restore_point_device on protection.restore_point (device_id, happened desc) where dropped_at is null;

create table protection.replica (
  restore_point_id text not null references protection.restore_point,
  vault_id uuid not null references protection.vault,
  customer_id uuid not null,
  state text not null check (state in ('present', 'copying', 'missing')),
  at timestamptz not null,
  primary key (restore_point_id, vault_id)
);

create table protection.recovery_session (
  id uuid primary key,
  happened bigint generated always as identity unique,
  customer_id uuid not null,
  device_id uuid not null,
  restore_point_id text not null,
  vault_id uuid not null references protection.vault,
  state text not null check (state in ('starting', 'running', 'stopping', 'stopped', 'failed')),
  accelerator text,
  timeline jsonb not null,
  forwards jsonb not null,
  counts jsonb,
  screen text not null check (screen in ('available', 'unavailable')),
  started_by text not null,
  started_at timestamptz not null,
  stopped_at timestamptz,
  error jsonb
);
create index recovery_session_device on protection.recovery_session (device_id, happened desc);

create table protection.restore_test (
  id uuid primary key,
  happened bigint generated always as identity unique,
  customer_id uuid not null,
  device_id uuid not null,
  restore_point_id text not null,
  vault_id uuid not null references protection.vault,
  run_id uuid not null references protection.run,
  state text not null check (state in ('queued', 'running', 'passed', 'failed', 'interrupted')),
  queued_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz,
  timeline jsonb not null,
  probes jsonb not null,
  accelerator text,
  versions jsonb not null,
  screenshot bytea,
  rto_ms bigint,
  evidence_sequence bigint,
  error jsonb
);
create index restore_test_device on protection.restore_test (device_id, happened desc);
create index restore_test_point on protection.restore_test (restore_point_id) where state = 'passed';

-- docs/formats/evidence-ledger.md. The line is the truth; the columns are for finding it.
create table protection.evidence (
  sequence bigint primary key,
  customer_sequence bigint not null,
  customer_id uuid not null,
  device_id uuid not null,
  at timestamptz not null,
  hash text not null unique,
  line text not null,
  unique (customer_id, customer_sequence)
);

-- The end of each chain; `customer_id` null: the whole ledger's. Appending locks the ledger's row, so that one at a time does.
create table protection.evidence_head (
  customer_id uuid unique nulls not distinct,
  sequence bigint not null,
  hash text not null
);

-- Other Mainstays that keep replicas here, and what is kept for them.
create table protection.peer (
  id uuid primary key,
  name text not null unique,
  secret_hash bytea not null,
  state text not null check (state in ('invited', 'active', 'revoked')),
  last_seen_at timestamptz,
  created_at timestamptz not null
);

create table protection.kept_repository (
  id uuid primary key,
  peer_id uuid not null references protection.peer,
  device_name text not null,
  customer_name text not null,
  password bytea not null,
  created_at timestamptz not null
);
create index kept_repository_peer on protection.kept_repository (peer_id);

select mainstay.protect_by_customer_or_provider('protection.plan');
select mainstay.protect_by_customer('protection.device_protection');
select mainstay.protect_for_system('protection.vault');
select mainstay.protect_by_customer('protection.repository');
select mainstay.protect_by_customer('protection.rest_credential');
select mainstay.protect_by_customer('protection.run');
select mainstay.protect_by_customer('protection.restore_point');
select mainstay.protect_by_customer('protection.replica');
select mainstay.protect_by_customer('protection.recovery_session');
select mainstay.protect_by_customer('protection.restore_test');
select mainstay.protect_by_customer('protection.evidence');
select mainstay.append_only('protection.evidence');
select mainstay.protect_by_customer_or_provider('protection.evidence_head');
select mainstay.protect_for_system('protection.peer');
select mainstay.protect_for_system('protection.kept_repository');
