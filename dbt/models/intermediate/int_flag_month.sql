{#- The figures that the flags look at, by unit and month: the terms that the seed gives them, out of the cells of fct_kpi_count. -#}
{{ config(materialized=kept_table(), meta={'counts_months': true}) }}
{% set counts = ['observed', 'trials', 'other_observed', 'other_trials'] -%}
{{- waits_for('int_kpi_touched_month') -}}
{% set redoes_months = builds_on_last() -%}
{% set since = flags_touched_since() if redoes_months else none -%}
with occurring as (
    select distinct
        counted.kpi_id,
        counted.cell
    from {{ ref('fct_kpi_count') }} as counted
    inner join (select distinct kpi_id from {{ ref('integrity_flag_term') }}) as read_by_flags on counted.kpi_id = read_by_flags.kpi_id
    {%- if redoes_months %}
    where counted.day >= {{ since }}
    {%- endif %}
),

matched as (
    select
        occurring.kpi_id,
        occurring.cell,
        term.figure,
        term.term,
        term.measure,
        term.factor
    from occurring
    inner join {{ ref('integrity_flag_term') }} as term
        on
            occurring.kpi_id = term.kpi_id
            and case
                when term.most is null then occurring.cell = case when term.cell = 'figure' then '' else term.cell end
                when substr(occurring.cell, 1, length(term.cell)) = term.cell
                    then cast(substr(occurring.cell, length(term.cell) + 1) as integer) between term.least and term.most
                else false
            end
),

month_sum as (
    select
        counted.kpi_id,
        counted.cell,
        unit_ancestor.ancestor_code as unit_code,
        cast(extract(year from counted.day) * 12 + extract(month from counted.day) as integer) as month_no,
        sum(counted.numerator) as numerator,
        sum(counted.denominator) as denominator
    from {{ ref('fct_kpi_count') }} as counted
    inner join (select distinct kpi_id, cell from matched) as wanted on counted.kpi_id = wanted.kpi_id and counted.cell = wanted.cell
    inner join {{ ref('unit_ancestor') }} as unit_ancestor
        on
            counted.unit_code = unit_ancestor.unit_code
            and counted.day >= unit_ancestor.valid_from
            and counted.day < unit_ancestor.valid_to
    cross join {{ source('control', 'night') }} as night
    where
        counted.day <= night.as_of
        {%- if redoes_months %}
        and counted.day >= {{ since }}
        {%- endif %}
    group by
        counted.kpi_id,
        counted.cell,
        unit_ancestor.ancestor_code,
        cast(extract(year from counted.day) * 12 + extract(month from counted.day) as integer)
),

term_sum as (
    select
        matched.figure,
        matched.term,
        month_sum.unit_code,
        month_sum.month_no,
        cast(sum(matched.factor * case when matched.measure = 'numerator' then month_sum.numerator else month_sum.denominator end) as bigint) as value,
        cast(sum(
            case when matched.term = 'part' then cast(month_sum.numerator as decimal(18, 0)) * cast(month_sum.numerator as decimal(18, 0)) end
        ) as decimal(38, 0)) as squares
    from month_sum
    inner join matched on month_sum.kpi_id = matched.kpi_id and month_sum.cell = matched.cell
    group by matched.figure, matched.term, month_sum.unit_code, month_sum.month_no
)

select
    figure,
    unit_code,
    month_no
    {%- for count in counts %},
    cast(sum(case when term = '{{ count }}'{% if count == 'observed' %} or term = 'part'{% endif %} then value else 0 end) as bigint) as {{ count }}
    {%- endfor %},
    cast(sum(squares) as decimal(38, 0)) as part_squares
from term_sum
group by figure, unit_code, month_no
