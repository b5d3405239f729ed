{{ current_state('fraud_warning') }}

select * from current_rows
