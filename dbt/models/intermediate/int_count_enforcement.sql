{{ config(materialized=kept_table(), meta={'counts_days_of': ['int_observation', 'int_matter_row']}) }}
with shared_cell as (
    {{ family_cells('enforcement', ['int_matter_cell', 'int_observation_cell']) }}
)

select * from shared_cell
