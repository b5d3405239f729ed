{{ config(materialized=kept_table(), meta={'counts_days_of': ['int_fraud_row']}) }}
{#- Bins of money keep two leading digits, squares are in whole yuan. The rate of cases has no slices, but a cell even where a register counts nobody. -#}
with fraud_row as (
    select *
    from {{ rows_counted('int_fraud_row') }}
),

kpi_row as (
    select *
    from fraud_row
    where kpi_id <> 'FR-1'
),

{{ cells('kpi_row', ['category', 'action', 'level', 'mode']) }},

rate_cell as (
    select
        kpi_id,
        unit_code,
        day,
        '' as cell,
        cast(sum(numerator) as bigint) as numerator,
        cast(sum(denominator) as bigint) as denominator
    from fraud_row
    where kpi_id = 'FR-1'
    group by kpi_id, unit_code, day
),

money_cell as (
    select
        kpi_id,
        unit_code,
        day,
        'bin:' || {{ leading_digits('amount_fen', 2) }} as cell,
        amount_fen as numerator,
        denominator
    from kpi_row
    where amount_fen is not null
    union all
    select
        kpi_id,
        unit_code,
        day,
        'square_yuan:case' as cell,
        {{ whole_yuan('amount_fen') }} * {{ whole_yuan('amount_fen') }} as numerator,
        0 as denominator
    from kpi_row
    where amount_fen is not null
)

select * from cell
union all
select * from rate_cell
union all
{{ summed_cells('money_cell', without_nothing=true) }}
