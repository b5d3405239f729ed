{{ current_state('observation') }}

select * from current_rows
