{% set columns = [
    ('mature_30_days', 'AD-1.30', 'denominator', ''),
    ('penalised_30_days', 'AD-1.30', 'numerator', ''),
    ('penalised_30_days_share', 'AD-1.30', 'value', ''),
    ('penalised_30_days_lower95', 'AD-1.30', 'lower95', ''),
    ('penalised_30_days_upper95', 'AD-1.30', 'upper95', ''),
    ('mediated_30_days', 'AD-1.30', 'numerator', 'outcome:mediated'),
    ('not_penalised_30_days', 'AD-1.30', 'numerator', 'outcome:not_penalised'),
    ('undecided_30_days', 'AD-1.30', 'numerator', 'outcome:undecided'),
    ('mature_60_days', 'AD-1.60', 'denominator', ''),
    ('penalised_60_days', 'AD-1.60', 'numerator', ''),
    ('penalised_60_days_share', 'AD-1.60', 'value', ''),
    ('mediated_60_days', 'AD-1.60', 'numerator', 'outcome:mediated'),
    ('not_penalised_60_days', 'AD-1.60', 'numerator', 'outcome:not_penalised'),
    ('undecided_60_days', 'AD-1.60', 'numerator', 'outcome:undecided'),
] -%}
{{ config(materialized=kept_table(), meta={'wide_columns': columns}) }}
with {{ wide_mart(columns) }}

select * from wide
