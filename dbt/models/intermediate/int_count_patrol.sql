{{ family_cells('patrol', ['int_observation_cell']) }}
