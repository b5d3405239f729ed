{{ current_state('region') }}

select * from current_rows
