{#-
  Units and months whose entries in a register of disputes are exactly the quota that was set for it; records count, not disputes.
  A month counts on its last day, under the leaf that the unit of an entry is on that day.
-#}
with opened_record as (
    select
        mediation.group_name,
        mediation.origin,
        mediation.unit_code,
        {{ dbt.last_day('mediation.opened_at', 'month') }} as month_end,
        mediation.row_count
    from {{ ref('stg_mediation') }} as mediation
),

register_month as (
    select
        {{ leaf_unit() }} as unit_code,
        opened_record.origin,
        opened_record.month_end,
        sum(opened_record.row_count) as entries
    from opened_record
    {{ join_leaf_unit('opened_record', day='month_end') }}
    {{ join_group_root('opened_record') }}
    group by {{ leaf_unit() }}, opened_record.origin, opened_record.month_end
)

select
    'INT-6.quota' as kpi_id,
    register_month.unit_code,
    cast(register_month.month_end as date) as day,
    '' as cell,
    cast(sum(case when register_month.entries = quota.entries then 1 else 0 end) as bigint) as numerator,
    cast(count(*) as bigint) as denominator
from register_month
inner join {{ ref('dim_unit') }} as dim_unit on register_month.unit_code = dim_unit.unit_code
inner join {{ ref('mediation_quota') }} as quota
    on
        register_month.origin = quota.origin
        and dim_unit.unit_level = quota.unit_level
        and register_month.month_end >= quota.valid_from
        and register_month.month_end < coalesce(quota.valid_to, {{ last_moment() }})
cross join {{ source('control', 'night') }} as night
where register_month.month_end <= night.as_of
group by register_month.unit_code, register_month.month_end
