-- What every module's migrations stand on: the customer scope, and the two ways a table can be protected.

grant usage on schema mainstay to public;

-- Whether the transaction may see rows of this customer. Unset or empty: nothing. The CASE keeps '*' from being cast.
create function mainstay.in_scope(wanted uuid) returns boolean
  language sql stable parallel safe
  return case coalesce(current_setting('mainstay.customer_scope', true), '')
    when '' then false
    when '*' then true
    else wanted = any (string_to_array(current_setting('mainstay.customer_scope', true), ',')::uuid[])
  end;

create function mainstay.has_scope() returns boolean
  language sql stable parallel safe
  return coalesce(current_setting('mainstay.customer_scope', true), '') <> '';

create function mainstay.is_system() returns boolean
  language sql stable parallel safe
  return coalesce(current_setting('mainstay.customer_scope', true), '') = '*';

-- Opens a module's schema to the application role; tables made later in it are covered.
create function mainstay.open_schema(schema_name text) returns void language plpgsql as $$
begin
  execute format('create schema if not exists %I', schema_name);
  execute format('grant usage on schema %I to %I', schema_name, current_setting('mainstay.app_role'));
  execute format('alter default privileges in schema %I grant select, insert, update, delete on tables to %I',
    schema_name, current_setting('mainstay.app_role'));
  execute format('alter default privileges in schema %I grant usage on sequences to %I',
    schema_name, current_setting('mainstay.app_role'));
end $$;

-- Rows of a table with customer_id are reachable in their customer's scope only, for the table's owner too.
create function mainstay.protect_by_customer(table_name regclass) returns void language plpgsql as $$
begin
  execute format('alter table %s enable row level security', table_name);
  execute format('alter table %s force row level security', table_name);
  execute format('create policy customer_scope on %s using (mainstay.in_scope(customer_id)) '
    'with check (mainstay.in_scope(customer_id))', table_name);
end $$;

-- As above, and rows without a customer belong to the provider: seen in every scope, written by the system only.
create function mainstay.protect_by_customer_or_provider(table_name regclass) returns void language plpgsql as $$
begin
  execute format('alter table %s enable row level security', table_name);
  execute format('alter table %s force row level security', table_name);
  execute format('create policy customer_read on %s for select using (mainstay.in_scope(customer_id) '
    'or (customer_id is null and mainstay.has_scope()))', table_name);
  execute format('create policy customer_write on %s using (mainstay.in_scope(customer_id) '
    'or (customer_id is null and mainstay.is_system())) with check (mainstay.in_scope(customer_id) '
    'or (customer_id is null and mainstay.is_system()))', table_name);
end $$;

-- Tables of the provider (users, peers, vaults): only work with the whole scope reaches them.
create function mainstay.protect_for_system(table_name regclass) returns void language plpgsql as $$
begin
  execute format('alter table %s enable row level security', table_name);
  execute format('alter table %s force row level security', table_name);
  execute format('create policy system_only on %s using (mainstay.is_system()) with check (mainstay.is_system())',
    table_name);
end $$;

-- Rows are added and never changed, whoever asks.
create function mainstay.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'rows of % are never changed or deleted', tg_table_name using errcode = 'insufficient_privilege';
end $$;

create function mainstay.append_only(table_name regclass) returns void language plpgsql as $$
begin
  execute format('revoke update, delete, truncate on %s from %I', table_name, current_setting('mainstay.app_role'));
  execute format('create trigger append_only before update or delete or truncate on %s '
    'for each statement execute function mainstay.refuse_change()', table_name);
end $$;

-- Job queues; their tables are pg-boss's own and made by it.
select mainstay.open_schema('jobs');
