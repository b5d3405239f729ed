with shared_cell as (
    {{ family_cells('hazard', ['int_matter_cell', 'int_observation_cell']) }}
)

select * from shared_cell
