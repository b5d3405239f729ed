{#-
  When something was recorded of what a figure counts, by KPI, root and month: the first and the last day of it. Of figures whose own days do
  not tell: deadlines pass without deliveries, devices that are no gates are counted as left out of what gates reported, and warnings come
  when their outcome is known, a month after they were issued: of them, the days on which they came.
-#}
{% set moments = {
    'stg_matter': ['opened_at', 'acknowledged_at', 'closed_at', 'reopened_at'],
    'stg_service_request': ['received_at', 'closed_at'],
    'stg_mediation': ['opened_at', 'closed_at'],
    'stg_device_day': ['observed_on'],
    'stg_fraud_warning': ['batch_date'],
} -%}
{% set kinds = {'stg_matter': 'kind', 'stg_device_day': 'device_kind'} -%}
with counting as (
    select
        'stg_matter' as record,
        kind,
        kpi_id
    from {{ ref('matter_kind') }}
    union all
    select 'stg_service_request' as record, '' as kind, 'SVC-1' as kpi_id
    union all
    select 'stg_mediation' as record, '' as kind, 'MED-1' as kpi_id
    union all
    select 'stg_device_day' as record, 'gate' as kind, 'EQ-2.volume' as kpi_id
    union all
    select 'stg_fraud_warning' as record, '' as kind, 'FR-5' as kpi_id
    union all
    select 'stg_fraud_warning' as record, '' as kind, 'FR-6' as kpi_id
),

recorded as (
    {%- for record, names in moments.items() %}
    {%- set is_first = loop.first %}
    {%- for moment in names %}
    {% if not (is_first and loop.first) %}union all {% endif -%}
    select distinct
        '{{ record }}' as record,
        {{ kinds.get(record, "''") }} as kind,
        group_name,
        unit_code,
        cast({{ moment }} as date) as day
    from {{ ref(record) }}
    where {{ moment }} is not null
    {%- endfor %}
    {%- endfor %}
),

placed as (
    select
        recorded.record,
        recorded.kind,
        recorded.day,
        {{ leaf_unit() }} as unit_code
    from recorded
    {{ join_leaf_unit('recorded') }}
    {{ join_group_root('recorded') }}
)

select
    counting.kpi_id,
    dim_unit.root_code,
    {{ month_number('placed.day') }} as month_no,
    min(placed.day) as first_day,
    max(placed.day) as last_day
from placed
inner join counting on placed.record = counting.record and placed.kind = counting.kind
inner join {{ ref('dim_unit') }} as dim_unit on placed.unit_code = dim_unit.unit_code
cross join {{ source('control', 'night') }} as night
where placed.day <= night.as_of
group by counting.kpi_id, dim_unit.root_code, {{ month_number('placed.day') }}
