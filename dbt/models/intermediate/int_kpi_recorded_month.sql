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
    select
        '{{ record }}' as record,
        {{ 'recorded_row.' ~ kinds[record] if record in kinds else "''" }} as kind,
        recorded_row.group_name,
        {{ month_number('recorded_row.' ~ moment) }} as month_no,
        min(cast(recorded_row.{{ moment }} as date)) as first_day,
        max(cast(recorded_row.{{ moment }} as date)) as last_day
    from {{ ref(record) }} as recorded_row
    cross join {{ source('control', 'night') }} as night
    where cast(recorded_row.{{ moment }} as date) <= night.as_of
    group by {% if record in kinds %}recorded_row.{{ kinds[record] }}, {% endif %}recorded_row.group_name, {{ month_number('recorded_row.' ~ moment) }}
    {%- endfor %}
    {%- endfor %}
)

select
    counting.kpi_id,
    group_root.root_code,
    recorded.month_no,
    min(recorded.first_day) as first_day,
    max(recorded.last_day) as last_day
from recorded
inner join counting on recorded.record = counting.record and recorded.kind = counting.kind
inner join {{ ref('int_group_root') }} as group_root on recorded.group_name = group_root.group_name
group by counting.kpi_id, group_root.root_code, recorded.month_no
