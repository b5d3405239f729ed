{{ current_state('incident') }}

select * from current_rows
