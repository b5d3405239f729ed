{{ current_state('unit') }}

select * from current_rows
