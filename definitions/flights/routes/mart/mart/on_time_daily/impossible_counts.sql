select day, flights, cancelled, diverted, late
from {{ this }}
where cancelled + diverted + late > flights
