/** The schema as text, one line per fact, so that a change of it is seen in review. */

import type { Pool } from "pg";

const FACTS = `
  select format('%s.%s', n.nspname, c.relname) as place, '0' as rank,
    format('table%s%s', case when c.relrowsecurity then ' rls' else '' end,
      case when c.relforcerowsecurity then ' forced' else '' end) as fact
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and n.nspname = any($1)
  union all
  select format('%s.%s', n.nspname, c.relname), '1' || lpad(a.attnum::text, 4, '0'),
    format('  %s %s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
      case when a.attnotnull then ' not null' else '' end,
      coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), ''))
  from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where c.relkind = 'r' and a.attnum > 0 and not a.attisdropped and n.nspname = any($1)
  union all
  select format('%s.%s', n.nspname, c.relname), '2' || k.conname, format('  %s: %s', k.conname, pg_get_constraintdef(k.oid))
  from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = any($1) and k.contype <> 'n'
  union all
  select format('%s.%s', schemaname, tablename), '3' || indexname, '  ' || indexdef
  from pg_indexes where schemaname = any($1)
  union all
  select format('%s.%s', schemaname, tablename), '4' || policyname,
    format('  policy %s for %s using (%s) check (%s)', policyname, cmd, coalesce(qual, ''), coalesce(with_check, ''))
  from pg_policies where schemaname = any($1)
  union all
  select format('%s.%s', n.nspname, c.relname), '5' || t.tgname, '  ' || pg_get_triggerdef(t.oid)
  from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
  where not t.tgisinternal and n.nspname = any($1)
  order by 1, 2`;

/** Tables, columns, constraints, indexes, policies and triggers of the schemas. */
export async function describeSchemas(pool: Pool, schemas: readonly string[]): Promise<string> {
  const { rows } = await pool.query<{ place: string; fact: string }>(FACTS, [schemas]);
  const lines = rows.map((row) => (row.fact.startsWith("table") ? `${row.place} ${row.fact}` : row.fact));
  return `${lines.join("\n")}\n`;
}

/** Tables with a customer_id that row-level security does not force: must be none. */
export async function unprotectedTables(pool: Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ name: string }>(`
    select format('%s.%s', n.nspname, c.relname) as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'customer_id' and not a.attisdropped
    where c.relkind = 'r' and not (c.relrowsecurity and c.relforcerowsecurity)`);
  return rows.map((row) => row.name);
}
