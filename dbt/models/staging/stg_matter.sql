{{ current_state('matter') }}

select * from current_rows
