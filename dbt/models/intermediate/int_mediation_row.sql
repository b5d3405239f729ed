{{ config(materialized='view') }}
{#- Disputes on the day that they were closed or due, and agreements on the day that they were made, as they are counted. -#}
with settled_or_due as (
    select
        dispute.group_name,
        dispute.unit_code,
        dispute.dispute_kind,
        dispute.opened_on,
        case
            when dispute.closed_at <= dispute.due_at or dispute.due_at is null then cast(dispute.closed_at as date)
            else cast(dispute.due_at as date)
        end as counted_on,
        case
            when dispute.closed_at is not null then dispute.result
            else 'open'
        end as result,
        dispute.excluded_reason,
        night.as_of,
        dispute.row_count
    from {{ ref('int_dispute') }} as dispute
    cross join {{ source('control', 'night') }} as night
),

judged_dispute as (
    select
        settled_or_due.*,
        coalesce(
            excluded_reason,
            case
                when counted_on is null then 'open_without_deadline'
                when counted_on > as_of then 'not_due'
            end
        ) as left_out
    from settled_or_due
),

agreement_row as (
    {%- for days in (90, 180) %}
    {% if not loop.first %}union all {% endif -%}
    select
        'MED-2.{{ days }}' as kpi_id,
        dispute.group_name,
        dispute.unit_code,
        coalesce(cast(dispute.closed_at as date), dispute.opened_on) as day,
        dispute.dispute_kind,
        {{ add_days('dispute.closed_at', days) }} as due_on,
        dispute.repeated_at,
        dispute.are_parties_known,
        dispute.result,
        dispute.excluded_reason,
        night.as_of,
        dispute.row_count
    from {{ ref('int_dispute') }} as dispute
    cross join {{ source('control', 'night') }} as night
    {%- endfor %}
),

judged_agreement as (
    select
        agreement_row.*,
        coalesce(
            excluded_reason,
            case
                when coalesce(result, 'open') <> 'agreement' then 'no_agreement'
                when not are_parties_known then 'parties_unknown'
                when due_on > as_of then 'immature'
            end
        ) as left_out
    from agreement_row
),

judged_row as (
    select
        'MED-1' as kpi_id,
        group_name,
        unit_code,
        case when left_out is null then counted_on else opened_on end as day,
        dispute_kind,
        case when left_out is null then result end as result,
        result = 'agreement' as is_counted_above,
        left_out,
        row_count
    from judged_dispute
    union all
    select
        kpi_id,
        group_name,
        unit_code,
        day,
        dispute_kind,
        null as result,
        cast(repeated_at as date) <= due_on as is_counted_above,
        left_out,
        row_count
    from judged_agreement
)

select
    judged_row.kpi_id,
    {{ leaf_unit() }} as unit_code,
    judged_row.day,
    judged_row.dispute_kind,
    judged_row.result,
    case when judged_row.left_out is null and judged_row.is_counted_above then judged_row.row_count else 0 end as numerator,
    case when judged_row.left_out is null then judged_row.row_count else 0 end as denominator,
    judged_row.left_out as excluded_reason,
    judged_row.row_count as excluded
from judged_row
{{ join_leaf_unit('judged_row') }}
{{ join_group_root('judged_row') }}
