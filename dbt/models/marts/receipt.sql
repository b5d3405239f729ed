select
    source_id as source,
    batch_date as batch,
    file_name as file,
    sha256,
    bytes,
    encoding,
    rows_read,
    rows_accepted,
    rows_quarantined,
    rows_duplicate,
    rows_filtered,
    seconds,
    contract_version,
    status,
    detail
from {{ source('control', 'receipt') }}
cross join {{ source('control', 'night') }} as night
where batch_date <= night.as_of
