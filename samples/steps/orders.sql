-- Orders of a wholesaler over two years. Every value follows from the row's number alone, so two builds hold equal rows.
begin;
create table orders (
  id bigint primary key,
  placed_at timestamptz not null,
  customer text not null,
  article text not null,
  quantity integer not null check (quantity > 0),
  unit_price_cents integer not null check (unit_price_cents > 0),
  total_cents bigint not null,
  status text not null,
  delivery_note text not null
);

insert into orders
select
  id,
  timestamptz '2024-01-02 08:00:00+00' + (id * (interval '2 years' / :rows)),
  (array['Linden', 'Harbour', 'Old Mill', 'North Gate', 'Riverside', 'Market Square', 'Hilltop', 'Station'])[1 + dice / 7 % 8]
    || ' ' || (array['Bakery', 'Pharmacy', 'Joinery', 'Garage', 'Dental Practice', 'Print Shop', 'Nursery'])[1 + dice / 56 % 7]
    || ' No. ' || (1 + dice / 392 % 40),
  (array['Copy paper A4, 500 sheets', 'Toner, black', 'LED tube 120 cm', 'Network cable Cat 6, 5 m', 'Desk lamp',
         'Battery AA, box of 40', 'Keyboard, wired', 'Monitor 24 inch', 'Label rolls, 12', 'Disinfectant 5 l'])[article],
  quantity,
  price,
  quantity::bigint * price,
  case when id > :rows * 0.99 then 'open' when id > :rows * 0.97 then 'shipped' when dice % 41 = 0 then 'cancelled'
       else 'delivered' end,
  'DN-' || to_char(id, 'FM00000000') || '-' || substr(md5(id::text), 1, 10)
from (
  select id, dice, 1 + dice % 10 as article, 1 + dice / 11 % 24 as quantity,
    (array[429, 6990, 1150, 690, 3490, 1890, 2490, 15900, 2150, 1990])[1 + dice % 10] as price
  from (select id, ((id * 2654435761) % 1000000007)::integer as dice from generate_series(1, :rows::bigint) as id) as numbered
) as drawn;

create index orders_by_customer on orders (customer, placed_at);
commit;
