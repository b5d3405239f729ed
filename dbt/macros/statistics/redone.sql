{#-
  Which rows a build that starts from the last one computes again. Values: all of a touched series, and the periods of which a sum may differ.
  Strata: those of years in which such a period is history; dispersions: those of these years and the two after, whose history they are.
  Figures besides: those that are compared with such a period, and those whose dispersion differs.
-#}
{% macro redone_where(table_name) -%}
series_id in (select series_id from {{ redone_relation('int_kpi_touched_series') }})
or {% if table_name == 'int_kpi_value' -%}
period_key in (select period_key from {{ redone_relation('int_kpi_touched_period') }} where is_counted)
{%- elif table_name == 'int_kpi_stratum' -%}
(scope_id, grain_no, year_no) in ({{ touched_history() }})
{%- elif table_name == 'int_kpi_dispersion' -%}
(scope_id, grain_no, year_no) in ({{ touched_history() }} union {{ touched_history(1) }} union {{ touched_history(2) }})
{%- else -%}
period_key in (select period_key from {{ redone_relation('int_kpi_touched_period') }})
or (series_id, period_key) in (
    select
        touched.series_id,
        period.period_key
    from {{ redone_relation('int_kpi_touched_spread') }} as touched
    inner join {{ redone_relation('int_kpi_period') }} as period
        on touched.scope_id = period.scope_id and touched.grain_no = least(period.grain_no, 3) and touched.part_no = period.season_no
)
{%- endif -%}
{%- endmacro %}

{% macro is_touched_history() -%}
is_counted and is_history and grain_no <= 3
{%- endmacro %}

{% macro touched_history(years_later=0) -%}
select scope_id, grain_no, year_no + {{ years_later }} from {{ redone_relation('int_kpi_touched_period') }} where {{ is_touched_history() }}
{%- endmacro %}

{#- Materialisations know no ref(): the graph is fixed by then. -#}
{% macro redone_relation(model_name) -%}
{{ model_name }}
{%- endmacro %}

{#- The periods of which a sum may differ, and all of the KPIs that a touched series belongs to. -#}
{% macro periods_redone() -%}
select *
    from {{ ref('int_kpi_period') }}
    where
        period_key in (select period_key from {{ ref('int_kpi_touched_period') }} where is_counted)
        or scope_id in (
            select scope_id
            from {{ ref('int_kpi_series') }}
            where series_id in (select series_id from {{ ref('int_kpi_touched_series') }})
        )
{%- endmacro %}

{#- The stratum of history by which a figure of a series and a period is widened. -#}
{% macro period_spread_key(series_id, period) -%}
{{ spread_key(series_id, 'least(' ~ period ~ '.grain_no, 3) * 100000000 + ' ~ period ~ '.season_no') }}
{%- endmacro %}

{#- What the last complete build had in the place of a model. -#}
{% macro applied(model_name) -%}
applied.{{ model_name }}
{%- endmacro %}

{#- Rows that a model has now and had not in the last complete build, or the other way round, of the columns named. -#}
{% macro differing_rows(model_name, columns) -%}
{{ differing_relations(ref(model_name), applied(model_name), columns) }}
{%- endmacro %}

{% macro differing_relations(one, other, columns) -%}
(
        (select {{ columns | join(', ') }} from {{ one }} except select {{ columns | join(', ') }} from {{ other }})
        union all
        (select {{ columns | join(', ') }} from {{ other }} except select {{ columns | join(', ') }} from {{ one }})
    )
{%- endmacro %}

{#- A number for one thing of many, that stays the same from build to build: that of the last build, or the next free one. -#}
{% macro kept_number(of, keys, number, kept_in) -%}
{%- if builds_on_last() -%}
case
            when kept.{{ number }} is not null then kept.{{ number }}
            else cast(
                (select max({{ number }}) from {{ applied(kept_in) }})
                + dense_rank() over (partition by kept.{{ number }} is null order by {% for key in keys %}{{ of }}.{{ key }}{% if not loop.last %}, {% endif %}{% endfor %}) as integer
            )
        end
{%- else -%}
cast(dense_rank() over (order by {% for key in keys %}{{ of }}.{{ key }}{% if not loop.last %}, {% endif %}{% endfor %}) as integer)
{%- endif -%}
{%- endmacro %}

{% macro join_kept_number(of, keys, number, kept_in) -%}
{%- if builds_on_last() -%}
left join (select distinct {{ keys | join(', ') }}, {{ number }} from {{ applied(kept_in) }}) as kept
        on {% for key in keys %}{{ of }}.{{ key }} = kept.{{ key }}{% if not loop.last %} and {% endif %}{% endfor %}
{%- endif -%}
{%- endmacro %}
