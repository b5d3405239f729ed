{#-
  Counts and sums from kpi; medians and the share of the top 1 % (from 100 cases on) from the bins, whose edges keep two leading digits:
  a median is the least amount of its bin (the mean of two, where two are in the middle), and cases of a bin that the top 1 % cuts through count with the mean of the bin.
-#}
{% set losses = [('loss', 'FR-2.loss'), ('net_loss', 'FR-2')] -%}
{% set columns = [
    ('cases', 'FR-1.cases', 'numerator', ''),
    ('cases_per_10000', 'FR-1', 'value', ''),
    ('cases_per_10000_lower95', 'FR-1', 'lower95', ''),
    ('cases_per_10000_upper95', 'FR-1', 'upper95', ''),
    ('cases_yoy_ratio', 'FR-1.cases', 'yoy_ratio', ''),
    ('cases_yoy_lower95', 'FR-1.cases', 'yoy_lower95', ''),
    ('cases_yoy_upper95', 'FR-1.cases', 'yoy_upper95', ''),
    ('cases_yoy_verdict', 'FR-1.cases', 'yoy_verdict', ''),
] -%}
{% for name, kpi_id in losses -%}
{% do columns.append((name ~ '_yuan', kpi_id, 'value', '')) -%}
{% do columns.append((name ~ '_lower95', kpi_id, 'lower95', '')) -%}
{% do columns.append((name ~ '_upper95', kpi_id, 'upper95', '')) -%}
{% do columns.append((name ~ '_cases', kpi_id, 'denominator', '')) -%}
{% do columns.append((name ~ '_yoy_ratio', kpi_id, 'yoy_ratio', '')) -%}
{% do columns.append((name ~ '_yoy_lower95', kpi_id, 'yoy_lower95', '')) -%}
{% do columns.append((name ~ '_yoy_upper95', kpi_id, 'yoy_upper95', '')) -%}
{% do columns.append((name ~ '_yoy_verdict', kpi_id, 'yoy_verdict', '')) -%}
{% endfor -%}
{% do columns.extend([
    ('not_filed', 'FR-1.cases', 'numerator', 'excluded:not_filed'),
    ('stopped_share', 'FR-3', 'value', ''),
    ('stops', 'FR-3.actions', 'numerator', 'action:stopped'),
    ('freezes', 'FR-3.actions', 'numerator', 'action:frozen'),
    ('returns', 'FR-3.actions', 'numerator', 'action:returned'),
    ('returned_share', 'FR-4', 'value', ''),
    ('warned', 'FR-5', 'denominator', ''),
    ('warned_victimised', 'FR-5', 'numerator', ''),
    ('warned_victimised_share', 'FR-5', 'value', ''),
    ('warned_victimised_lower95', 'FR-5', 'lower95', ''),
    ('warned_victimised_upper95', 'FR-5', 'upper95', ''),
    ('warned_not_contacted', 'FR-5', 'numerator', 'excluded:not_contacted'),
    ('instructions', 'FR-6', 'denominator', ''),
    ('met', 'FR-6', 'numerator', ''),
    ('met_share', 'FR-6', 'value', ''),
    ('met_share_lower95', 'FR-6', 'lower95', ''),
    ('met_share_upper95', 'FR-6', 'upper95', ''),
]) -%}
{{ config(materialized=kept_table(), meta={'wide_columns': columns}) }}
with {{ wide_mart(columns) }},

{{ bins_by_period('money_bin', losses | map(attribute=1) | list) }},

{{ bins_so_far('money_so_far', 'money_bin') }},

largest as (
    select
        *,
        greatest(
            0,
            least(members, cast(ceil(all_members / 100.0) as bigint) - (all_members - members_so_far))
        ) as members_of_top
    from money_so_far
),

spread as (
    select
        grain,
        period_start,
        unit_code
        {%- for name, kpi_id in losses %},
        {{ bin_median(kpi_id) }} / 100e0 as {{ name }}_median_yuan,
        sum(case
            when kpi_id = '{{ kpi_id }}' and all_members >= 100 then cast(amount as double) / members * members_of_top
        end) / nullif(max(case when kpi_id = '{{ kpi_id }}' then cast(all_amount as double) end), 0e0) as {{ name }}_top_1_percent_share
        {%- endfor %}
    from largest
    where members > 0
    group by grain, period_start, unit_code
)

select
    wide.*
    {%- for name, kpi_id in losses %},
    spread.{{ name }}_median_yuan,
    spread.{{ name }}_top_1_percent_share
    {%- endfor %}
from wide
left join spread
    on
        wide.grain = spread.grain
        and wide.period_start = spread.period_start
        and wide.unit_code = spread.unit_code
