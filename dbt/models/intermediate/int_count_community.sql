{{ config(materialized=kept_table(), meta={'counts_days_of': ['int_observation', 'int_community_cell']}) }}
{{ family_cells('community', ['int_observation_cell', 'int_community_cell']) }}
