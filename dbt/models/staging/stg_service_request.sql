{{ current_state('service_request') }}

select * from current_rows
