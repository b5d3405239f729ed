{#-
  Smart-security communities: how many had none of the preventable incidents in a period, and how much that says. `expected` is what the
  rate of ordinary communities of the same unit and period would give for as many households; none seen is a surprise only from about
  3 expected on. With none seen, the rate is below 2.996 per exposure at 95 %.
-#}
{% set columns = [
    ('incidents', 'SITE-1', 'numerator', ''),
    ('community_days', 'SITE-1', 'denominator', ''),
    ('incidents_per_community_year', 'SITE-1', 'value', ''),
    ('smart_household_days', 'SITE-1.households', 'denominator', 'site:smart'),
    ('plain_household_days', 'SITE-1.households', 'denominator', 'site:plain'),
    ('plain_incidents', 'SITE-1.households', 'numerator', 'site:plain'),
    ('plain_incidents_per_10000_households', 'SITE-1.households', 'value', 'site:plain'),
    ('located_share', 'SITE-1.located', 'value', ''),
    ('mean_age_days', 'SITE-1.age', 'value', ''),
] -%}
{{ config(materialized=kept_table(), meta={'wide_columns': columns}) }}
with {{ wide_mart(columns) }},

first_day as (
    select
        unit_ancestor.ancestor_code as unit_code,
        split_part(counted.cell, ':', 2) as period,
        counted.day,
        sum(counted.numerator) as communities_hit,
        sum(counted.denominator) as communities
    from {{ ref('fct_kpi_count') }} as counted
    inner join {{ ref('unit_ancestor') }} as unit_ancestor
        on
            counted.unit_code = unit_ancestor.unit_code
            and counted.day >= unit_ancestor.valid_from
            and counted.day < unit_ancestor.valid_to
    where
        counted.kpi_id = 'SITE-1'
        and counted.cell like 'first:%'
        {%- if redoes_periods() %}
        and counted.day >= {{ touched_since(columns) }}
        {%- endif %}
    group by unit_ancestor.ancestor_code, split_part(counted.cell, ':', 2), counted.day
),

hit as (
    select
        wide.unit_code,
        wide.grain,
        wide.period_end,
        cast(sum(first_day.communities) as bigint) as communities,
        cast(sum(first_day.communities_hit) as bigint) as communities_hit
    from wide
    inner join first_day
        on
            wide.unit_code = first_day.unit_code
            and case wide.grain when 'ytd' then 'year' else wide.grain end = first_day.period
            and first_day.day between wide.period_start and wide.period_end
    group by wide.unit_code, wide.grain, wide.period_end
)

select
    wide.unit_code,
    wide.unit_name,
    wide.unit_level,
    wide.grain,
    wide.period_start,
    wide.period_end,
    wide.is_complete,
    hit.communities,
    hit.communities - hit.communities_hit as zero_communities,
    cast(hit.communities - hit.communities_hit as double) / nullif(hit.communities, 0) as zero_share,
    wide.incidents,
    wide.community_days,
    wide.incidents_per_community_year,
    case when wide.incidents = 0 and wide.community_days > 0 then 2.996e0 * 365 / wide.community_days end as zero_upper95_per_community_year,
    cast(wide.plain_incidents as double) / nullif(wide.plain_household_days, 0) * wide.smart_household_days as expected,
    wide.plain_incidents_per_10000_households,
    wide.located_share,
    wide.mean_age_days
from wide
left join hit on wide.unit_code = hit.unit_code and wide.grain = hit.grain and wide.period_end = hit.period_end
