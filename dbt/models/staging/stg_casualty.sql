{{ current_state('casualty') }}

select * from current_rows
