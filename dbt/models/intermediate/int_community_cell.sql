{#-
  Preventable incidents in residential communities beside what they are counted against. A community is where the register has it; what
  happened in none that is registered is not located. 'first:month' says how many smart communities had their first incident of the
  month on a day (numerator) and began the month, or were built in it, on a day (denominator): the rest of them had none.
-#}
with listed_category as (
    {{ listed_categories(ref('int_incident'), 'community_preventable') }}
),

observed as (
    select
        group_name,
        min(day) as first_day
    from {{ ref('int_incident') }}
    where not is_future
    group by group_name
),

registering as (
    select distinct group_name
    from {{ ref('stg_register_entry') }}
    where kind = 'community'
),

preventable as (
    select
        incident.group_name,
        incident.unit_code,
        incident.community_id,
        incident.place_kind,
        incident.day,
        incident.row_count
    from {{ ref('int_incident') }} as incident
    inner join registering on incident.group_name = registering.group_name
    where incident.ineffective_reason is null and {{ is_listed('incident') }}
),

located as (
    select
        preventable.group_name,
        preventable.day,
        preventable.row_count,
        entry.entry_id,
        entry.category,
        entry.unit_code
    from preventable
    inner join {{ ref('stg_register_entry') }} as entry
        on
            preventable.group_name = entry.group_name
            and preventable.community_id = entry.entry_id
            and entry.kind = 'community'
            and preventable.day >= entry.valid_from
            and preventable.day < coalesce(entry.valid_to, {{ last_moment() }})
),

placed_incident as (
    select
        located.group_name,
        located.entry_id,
        located.category,
        {{ leaf_unit() }} as unit_code,
        located.day,
        located.row_count
    from located
    {{ join_leaf_unit('located') }}
    {{ join_group_root('located') }}
),

{{ register_days('community_day', ['community'], 'observed') }},

smart_day_no as (
    select
        entry.group_name,
        entry.entry_id,
        entry.unit_code,
        entry.valid_from,
        {{ each_number(
            day_number('greatest(entry.valid_from, observed.first_day)'),
            day_number('least(coalesce(' ~ add_days('entry.valid_to', -1) ~ ', night.as_of), night.as_of)')
        ) }} as day_no
    from {{ ref('stg_register_entry') }} as entry
    inner join observed on entry.group_name = observed.group_name
    cross join {{ source('control', 'night') }} as night
    where
        entry.kind = 'community'
        and entry.category = 'smart'
        and entry.valid_from <= night.as_of
        and coalesce(entry.valid_to, {{ last_moment() }}) > observed.first_day
),

smart_day as (
    select
        group_name,
        entry_id,
        unit_code,
        {{ day_from_number('day_no') }} as day,
        day_no - {{ day_number('valid_from') }} as age
    from smart_day_no
),

placed_smart_day as (
    select
        smart_day.entry_id,
        smart_day.group_name,
        {{ leaf_unit() }} as unit_code,
        smart_day.day,
        smart_day.age
    from smart_day
    {{ join_leaf_unit('smart_day') }}
    {{ join_group_root('smart_day') }}
),

{#- In each period: the first day of each smart community, and the day of its first incident. -#}
first_day as (
    {%- for period in ['month', 'quarter', 'year'] %}
    {%- for rows in ['placed_smart_day', 'placed_incident'] %}
    {% if not loop.first or period != 'month' %}union all {% endif -%}
    select
        'first:{{ period }}' as cell,
        unit_code,
        day,
        {{ 1 if rows == 'placed_incident' else 0 }} as numerator,
        {{ 0 if rows == 'placed_incident' else 1 }} as denominator
    from (
        select
            unit_code,
            day,
            row_number() over (
                partition by group_name, entry_id, {{ dbt.date_trunc(period, 'day') }}
                order by day, unit_code
            ) as rank_in_period
        from {{ rows }}
        {%- if rows == 'placed_incident' %}
        where category = 'smart'
        {%- endif %}
    ) as ranked_{{ period }}_{{ rows }}
    where rank_in_period = 1
    {%- endfor %}
    {%- endfor %}
),

kpi_row as (
    select 'SITE-1' as kpi_id, unit_code, day, '' as cell, row_count as numerator, 0 as denominator
    from placed_incident
    where category = 'smart'
    union all
    select 'SITE-1' as kpi_id, unit_code, day, '' as cell, 0 as numerator, entries as denominator
    from community_day
    where category = 'smart'
    union all
    select 'SITE-1' as kpi_id, unit_code, day, cell, numerator, denominator
    from first_day
    {%- for cell in ["''", "'site:' || category"] %}
    union all
    select 'SITE-1.households' as kpi_id, unit_code, day, {{ cell }} as cell, row_count as numerator, 0 as denominator
    from placed_incident
    union all
    select 'SITE-1.households' as kpi_id, unit_code, day, {{ cell }} as cell, 0 as numerator, size as denominator
    from community_day
    {%- endfor %}
    union all
    select
        'SITE-1.located' as kpi_id,
        preventable.unit_code,
        preventable.day,
        '' as cell,
        case when entry.entry_id is null then 0 else preventable.row_count end as numerator,
        preventable.row_count as denominator
    from preventable
    left join {{ ref('stg_register_entry') }} as entry
        on
            preventable.group_name = entry.group_name
            and preventable.community_id = entry.entry_id
            and entry.kind = 'community'
            and preventable.day >= entry.valid_from
            and preventable.day < coalesce(entry.valid_to, {{ last_moment() }})
    where preventable.place_kind = 'residence'
    union all
    select 'SITE-1.age' as kpi_id, unit_code, day, '' as cell, age as numerator, 1 as denominator
    from placed_smart_day
)

{{ summed_cells('kpi_row', without_nothing=true) }}
