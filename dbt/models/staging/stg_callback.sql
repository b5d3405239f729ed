{{ current_state('callback') }}

select * from current_rows
