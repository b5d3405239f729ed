{{ config(materialized=kept_table(), meta={'counts_days_of': ['int_observation', 'int_matter_row']}) }}
{{ family_cells('progress', ['int_observation_cell', 'int_matter_cell']) }}
