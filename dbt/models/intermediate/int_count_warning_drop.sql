with tally as (
    select
        unit_code,
        day,
        category,
        ineffective_reason,
        is_case,
        sum(row_count) as incidents
    from {{ ref('int_incident') }}
    group by unit_code, day, category, ineffective_reason, is_case
),

listed_category as (
    {{ listed_categories('tally', 'street_preventable') }}
),

judged as (
    select
        tally.*,
        {{ is_listed('tally') }} as is_street_preventable
    from tally
),

kpi_row as (
    select
        'INC-3.effective' as kpi_id,
        unit_code,
        day,
        category,
        case when ineffective_reason is null then incidents else 0 end as numerator,
        0 as denominator,
        ineffective_reason as excluded_reason,
        case when ineffective_reason is null then 0 else incidents end as excluded
    from judged
    union all
    select
        'INC-3.converted' as kpi_id,
        unit_code,
        day,
        category,
        case when ineffective_reason is null and is_case then incidents else 0 end as numerator,
        case when ineffective_reason is null and is_case is not null then incidents else 0 end as denominator,
        coalesce(ineffective_reason, case when is_case is null then 'conversion_not_reported' end) as excluded_reason,
        case when ineffective_reason is not null or is_case is null then incidents else 0 end as excluded
    from judged
    union all
    select
        'INC-4' as kpi_id,
        unit_code,
        day,
        category,
        case when ineffective_reason is null and is_street_preventable then incidents else 0 end as numerator,
        0 as denominator,
        coalesce(ineffective_reason, case when not is_street_preventable then 'category_not_listed' end) as excluded_reason,
        case when ineffective_reason is not null or not is_street_preventable then incidents else 0 end as excluded
    from judged
),

{{ cells('kpi_row', ['category']) }}

select * from cell
