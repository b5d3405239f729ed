{#-
  Aalen and Johansen's estimate of what becomes of a cohort of which some are still open (Scand. J. Stat. 5 (1978) 141): the share that met
  each of two ends within so many days. `rows` has the columns of `keys`, lag (days; followed so far where open), outcome
  ('cleared', 'exit', 'open') and members. Gives CTEs that end in `name`: keys, members, and per horizon N cleared_<N>, exited_<N> (members
  so far), cleared_<N>_share, exited_<N>_share; the shares are null beyond the last day that anybody was followed to. Ends precede
  censoring on the same day. Without open members it is the plain share.
-#}
{% macro competing_risks(name, rows, keys, horizons) -%}
{%- set key = keys | join(', ') -%}
{#- What happened after the last horizon is one day: the shares up to it are the same, and old cohorts are no longer than young ones. -#}
{%- set followed = 'least(lag, ' ~ (horizons | max + 1) ~ ')' -%}
{{ name }}_day as (
    select
        {{ key }},
        {{ followed }} as lag,
        cast(sum(case when outcome = 'cleared' then members else 0 end) as bigint) as cleared,
        cast(sum(case when outcome = 'exit' then members else 0 end) as bigint) as exited,
        cast(sum(case when outcome = 'open' then members else 0 end) as bigint) as open
    from {{ rows }}
    group by {{ key }}, {{ followed }}
),

{{ name }}_risk as (
    select
        {{ name }}_day.*,
        sum(cleared + exited + open) over (
            partition by {{ key }} order by lag rows between current row and unbounded following
        ) as at_risk,
        sum(cleared + exited + open) over (partition by {{ key }}) as members
    from {{ name }}_day
),

{#- Shares still open before each day: a product, by the sum of its logarithms; nothing is left once a day ends everybody at risk. #}
{{ name }}_open as (
    select
        {{ name }}_risk.*,
        case
            when
                coalesce(max(case when cleared + exited = at_risk then 1 else 0 end) over before, 0) = 1 then 0e0
            else exp(coalesce(sum(
                case when cleared + exited < at_risk
                    then cast(ln(1e0 - (cleared + exited) / cast(at_risk as double)) as decimal(38, 18))
                end
            ) over before, 0))
        end as open_share
    from {{ name }}_risk
    window before as (partition by {{ key }} order by lag rows between unbounded preceding and 1 preceding)
),

{{ name }}_step as (
    select
        {{ key }},
        lag,
        members,
        cleared,
        exited,
        open,
        cast(open_share * (cleared / cast(at_risk as double)) as decimal(38, 18)) as cleared_step,
        cast(open_share * (exited / cast(at_risk as double)) as decimal(38, 18)) as exited_step
    from {{ name }}_open
),

{{ name }} as (
    select
        {{ key }},
        members
        {%- for n in horizons %},
        cast(sum(case when lag <= {{ n }} then cleared else 0 end) as bigint) as cleared_{{ n }},
        cast(sum(case when lag <= {{ n }} then exited else 0 end) as bigint) as exited_{{ n }},
        {%- for ended in ['cleared', 'exited'] %}
        case
            when max(lag) >= {{ n }} or sum(open) = 0
                then cast(cast(sum(case when lag <= {{ n }} then {{ ended }}_step else 0 end) as decimal(38, 12)) as double)
        end as {{ ended }}_{{ n }}_share{% if not loop.last %},{% endif %}
        {%- endfor %}
        {%- endfor %}
    from {{ name }}_step
    group by {{ key }}, members
)
{%- endmacro %}
