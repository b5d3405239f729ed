{{ family_cells('progress', ['int_observation_cell', 'int_matter_cell']) }}
