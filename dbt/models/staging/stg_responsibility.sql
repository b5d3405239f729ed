{{ current_state('responsibility') }}

select * from current_rows
