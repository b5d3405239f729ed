{{ config(materialized=kept_table(), meta={'counts_days_of': ['int_observation']}) }}
{{ family_cells('patrol', ['int_observation_cell']) }}
