{{ current_state('service_visit') }}

select * from current_rows
