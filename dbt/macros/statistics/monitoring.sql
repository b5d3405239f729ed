{#-
  Benjamini and Hochberg's adjusted p (J. R. Stat. Soc. B 57 (1995) 289): of a select, its rows with a column q_value, adjusted among the
  rows of one partition. Rows with q_value <= 0.05 are called, at a false discovery rate of 5 %.
-#}
{% macro benjamini_hochberg(rows, p, partition) -%}
select
    ranked.*,
    min(least(1e0, {{ p }} * p_count / p_rank)) over (
        partition by {{ partition | join(', ') }}
        order by p_rank desc
        rows between unbounded preceding and current row
    ) as q_value
from (
    select
        tested.*,
        row_number() over (partition by {{ partition | join(', ') }} order by {{ p }}) as p_rank,
        count(*) over (partition by {{ partition | join(', ') }}) as p_count
    from ({{ rows }}) as tested
    where {{ p }} is not null
) as ranked
{%- endmacro %}

{#-
  Control limits at three standard deviations of a u-chart (events per exposure) and a p-chart (share of trials), widened by the square
  root of the dispersion and clipped to what is possible. `centre` is that of the baseline, which is frozen before the monitored points.
-#}
{% macro u_chart_limit(side, centre, exposure, dispersion='1e0') -%}
{%- if side == 'lower' -%}
greatest(0e0, {{ centre }} - 3e0 * sqrt({{ dispersion }} * {{ centre }} / {{ exposure }}))
{%- else -%}
({{ centre }} + 3e0 * sqrt({{ dispersion }} * {{ centre }} / {{ exposure }}))
{%- endif -%}
{%- endmacro %}

{% macro p_chart_limit(side, centre, trials, dispersion='1e0') -%}
{%- if side == 'lower' -%}
greatest(0e0, {{ centre }} - 3e0 * sqrt({{ dispersion }} * {{ centre }} * (1e0 - {{ centre }}) / {{ trials }}))
{%- else -%}
least(1e0, {{ centre }} + 3e0 * sqrt({{ dispersion }} * {{ centre }} * (1e0 - {{ centre }}) / {{ trials }}))
{%- endif -%}
{%- endmacro %}
