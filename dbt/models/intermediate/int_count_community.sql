{{ family_cells('community', ['int_observation_cell', 'int_community_cell']) }}
