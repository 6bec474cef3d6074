select
    origin, year, month, day, hour,
    temp, dewp, humid, wind_dir, wind_speed, wind_gust,
    precip, pressure, visib, time_hour
from weather
