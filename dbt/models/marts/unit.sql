select
    unit_code,
    unit_name,
    unit_level,
    parent_code,
    root_code,
    depth,
    group_name,
    is_leaf,
    is_pseudo,
    valid_from,
    valid_to
from {{ ref('dim_unit') }}
