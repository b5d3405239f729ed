{{ current_state('fraud_case') }}

select * from current_rows
