{{ current_state('gate_hour') }}

select * from current_rows
