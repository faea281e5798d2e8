-- How far each agent's outbox is stored, and work that waits for its agent.

select mainstay.open_schema('agents');

create table agents.outbox (
  device_id uuid primary key,
  customer_id uuid not null,
  -- The highest record that is stored.
  acknowledged bigint not null default 0 check (acknowledged >= 0)
);

create table agents.work (
  id uuid primary key,
  device_id uuid not null,
  customer_id uuid not null,
  body jsonb not null,
  dedupe_key text not null,
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  unique (device_id, dedupe_key)
);

select mainstay.protect_by_customer('agents.outbox');
select mainstay.protect_by_customer('agents.work');
