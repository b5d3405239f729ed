{{ config(materialized='view') }}
{#-
  What is counted of fraud: cases, residents and money on the day of filing, what was stopped on the day of report, what was returned on the
  day it was, and warnings on their day of issue. Money is in whole fen. A rate needs residents: cases count in it where a register of them is
  delivered, and residents from the first case on.
-#}
{% set follow_up_days = 30 -%}
with filed_case as (
    select
        fraud.*,
        coalesce(fraud.excluded_reason, fraud.unfiled_reason) as left_out,
        case when coalesce(fraud.excluded_reason, fraud.unfiled_reason) is null then fraud.filed_on else fraud.reported_on end as day
    from {{ ref('int_fraud_case') }} as fraud
),

observed as (
    select
        group_name,
        min(day) as first_day
    from filed_case
    where left_out is null
    group by group_name
),

{{ register_days('resident_day', ['population'], 'observed') }},

payment as (
    select
        payment.group_name,
        coalesce(fraud.unit_code, payment.unit_code) as unit_code,
        least(cast(payment.happened_at as date), night.as_of) as day,
        payment.action,
        payment.amount_fen,
        fraud.case_id is not null as is_of_known_case,
        case when cast(payment.happened_at as date) > night.as_of then 'after_as_of' end as left_out,
        payment.row_count
    from {{ ref('stg_fraud_payment') }} as payment
    cross join {{ source('control', 'night') }} as night
    left join {{ ref('int_fraud_case') }} as fraud
        on payment.group_name = fraud.group_name and payment.case_id = fraud.case_id and fraud.excluded_reason is null
),

warning as (
    select
        warning.group_name,
        warning.unit_code,
        least(warning.issued_on, night.as_of) as day,
        coalesce(warning.level, 'unknown') as level,
        coalesce(warning.mode, 'unknown') as mode,
        coalesce(warning.is_met, false) as is_met,
        coalesce(warning.is_victimised, false) as is_victimised,
        case when warning.issued_on > night.as_of then 'after_as_of' end as left_out,
        case
            when {{ add_days('warning.issued_on', follow_up_days) }} > night.as_of then 'immature'
            when not coalesce(warning.is_contacted, false) then 'not_contacted'
            when warning.is_victimised is null then 'outcome_unknown'
        end as unjudged_reason,
        warning.row_count
    from {{ ref('stg_fraud_warning') }} as warning
    cross join {{ source('control', 'night') }} as night
),

counted as (
    select
        'FR-1.cases' as kpi_id,
        group_name,
        unit_code,
        day,
        category,
        null as action,
        null as level,
        null as mode,
        row_count as numerator,
        0 as denominator,
        cast(null as bigint) as amount_fen,
        left_out,
        row_count
    from filed_case
    union all
    select
        'FR-1' as kpi_id,
        filed_case.group_name,
        filed_case.unit_code,
        filed_case.day,
        null as category,
        null as action,
        null as level,
        null as mode,
        filed_case.row_count as numerator,
        0 as denominator,
        cast(null as bigint) as amount_fen,
        filed_case.left_out,
        filed_case.row_count
    from filed_case
    inner join (select distinct group_name from resident_day) as registering on filed_case.group_name = registering.group_name
    where filed_case.left_out is null
    union all
    {%- for kpi_id, amount in [('FR-2', 'greatest(loss_fen - returned_fen, 0)'), ('FR-2.loss', 'loss_fen')] %}
    select
        '{{ kpi_id }}' as kpi_id,
        group_name,
        unit_code,
        day,
        category,
        null as action,
        null as level,
        null as mode,
        {{ amount }} as numerator,
        row_count as denominator,
        {{ amount }} as amount_fen,
        case when loss_fen is null then 'loss_unknown' end as left_out,
        row_count
    from filed_case
    where left_out is null
    union all
    {%- endfor %}
    select
        'FR-3' as kpi_id,
        group_name,
        unit_code,
        reported_on as day,
        category,
        null as action,
        null as level,
        null as mode,
        stopped_fen as numerator,
        loss_fen as denominator,
        cast(null as bigint) as amount_fen,
        coalesce(excluded_reason, case when loss_fen is null then 'loss_unknown' end) as left_out,
        row_count
    from {{ ref('int_fraud_case') }}
    union all
    select
        'FR-3' as kpi_id,
        group_name,
        unit_code,
        day,
        null as category,
        null as action,
        null as level,
        null as mode,
        0 as numerator,
        0 as denominator,
        cast(null as bigint) as amount_fen,
        coalesce(left_out, 'case_unknown') as left_out,
        row_count
    from payment
    where action = 'stopped' and (left_out is not null or not is_of_known_case)
    union all
    select
        'FR-3.actions' as kpi_id,
        group_name,
        unit_code,
        day,
        null as category,
        action,
        null as level,
        null as mode,
        row_count as numerator,
        0 as denominator,
        cast(null as bigint) as amount_fen,
        left_out,
        row_count
    from payment
    union all
    select
        'FR-4' as kpi_id,
        group_name,
        unit_code,
        day,
        null as category,
        null as action,
        null as level,
        null as mode,
        amount_fen as numerator,
        0 as denominator,
        cast(null as bigint) as amount_fen,
        left_out,
        row_count
    from payment
    where action = 'returned'
    union all
    select
        'FR-4' as kpi_id,
        group_name,
        unit_code,
        day,
        null as category,
        null as action,
        null as level,
        null as mode,
        0 as numerator,
        loss_fen as denominator,
        cast(null as bigint) as amount_fen,
        null as left_out,
        row_count
    from filed_case
    where left_out is null and loss_fen is not null
    union all
    select
        'FR-5' as kpi_id,
        group_name,
        unit_code,
        day,
        null as category,
        null as action,
        level,
        mode,
        case when is_victimised then row_count else 0 end as numerator,
        row_count as denominator,
        cast(null as bigint) as amount_fen,
        coalesce(left_out, unjudged_reason) as left_out,
        row_count
    from warning
    union all
    select
        'FR-6' as kpi_id,
        group_name,
        unit_code,
        day,
        null as category,
        null as action,
        level,
        mode,
        case when is_met then row_count else 0 end as numerator,
        row_count as denominator,
        cast(null as bigint) as amount_fen,
        left_out,
        row_count
    from warning
)

select
    counted.kpi_id,
    {{ leaf_unit() }} as unit_code,
    counted.day,
    counted.category,
    counted.action,
    counted.level,
    counted.mode,
    case when counted.left_out is null then counted.numerator else 0 end as numerator,
    case when counted.left_out is null then counted.denominator else 0 end as denominator,
    case when counted.left_out is null then counted.amount_fen end as amount_fen,
    counted.left_out as excluded_reason,
    counted.row_count as excluded
from counted
{{ join_leaf_unit('counted') }}
{{ join_group_root('counted') }}
union all
select
    'FR-1' as kpi_id,
    unit_code,
    day,
    null as category,
    null as action,
    null as level,
    null as mode,
    0 as numerator,
    size as denominator,
    cast(null as bigint) as amount_fen,
    null as excluded_reason,
    0 as excluded
from resident_day
