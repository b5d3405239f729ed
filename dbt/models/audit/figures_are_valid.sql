{#- What is wrong with figures: a series and period that stands twice, or a figure without its counts. -#}
{{ config(materialized='view') }}
{{ test_valid_table(ref('int_kpi_figure'), ['series_id', 'period_key'], ['numerator', 'denominator', 'is_broken']) }}
