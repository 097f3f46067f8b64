"""Make the sample data from the two full sets: ``python make_samples.py SOURCE_DIR``.

SOURCE_DIR holds the published sets as CF netCDF (sample_data/README.md says which they are):
``air_pm10_germany_daily.nc`` and ``um_e1_namerica_annual.nc``, each in its own folder of that name.
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

HERE = Path(__file__).parent
YEARS = slice("2004", "2009")
TABLE_DAYS = slice("2009-01-01", "2009-05-31")
EEA = "European Environment Agency, AirBase; free re-use with acknowledgement of the source"
MET_OFFICE = "Contains Met Office data (Crown copyright), Open Government Licence"


def main(source: Path) -> None:
    """Write every sample file beside this script."""
    full = xr.open_dataset(source / "air_pm10_germany_daily" / "air_pm10_germany_daily.nc")
    stations = working_stations(full)
    write_stations(stations)
    write_tables(stations.sel(time=TABLE_DAYS))
    write_grid(xr.open_dataset(source / "um_e1_namerica_annual" / "um_e1_namerica_annual.nc"))


def working_stations(full: xr.Dataset) -> xr.Dataset:
    """The years of the sample, and the stations that reported in the last of them."""
    years = full.sel(time=YEARS)
    reported = years.pm10.sel(time=YEARS.stop).notnull().any("time")
    return years.isel(sensor=np.flatnonzero(reported))


def write_stations(stations: xr.Dataset) -> None:
    """``pm10_germany.nc``."""
    stations = stations.assign_attrs(
        title="Daily PM10 at rural background stations in Germany, 2004-2009",
        source="AirBase, the air quality database of the European Environment Agency",
        license=EEA,
    )
    packing = {"scale_factor": 0.01, "add_offset": 137.17, "complevel": 9}
    write(stations, "pm10_germany.nc", "pm10", packing)


def write_tables(stations: xr.Dataset) -> None:
    """``pm10_germany_long.csv`` and ``pm10_germany_stations.csv``."""
    history = stations.pm10.round(2).rename(sensor="id").to_series().dropna()
    history.to_csv(HERE / "pm10_germany_long.csv", float_format="%.5g", lineterminator="\n")
    places = stations[["lat", "lon"]].rename(sensor="id").to_dataframe()[["lat", "lon"]]
    places.to_csv(HERE / "pm10_germany_stations.csv", float_format="%.5f", lineterminator="\n")


def write_grid(grid: xr.Dataset) -> None:
    """``tas_north_america.nc``."""
    grid = grid.assign_attrs(
        title="Annual mean air temperature over North America, 1860-2099 (climate model)",
        source="Met Office Unified Model 6.05, E1 scenario (E1_north_america.nc, Iris sample data)",
        license=MET_OFFICE,
    )
    packing = {"scale_factor": 0.01, "add_offset": 273.15, "complevel": 9}
    write(grid, "tas_north_america.nc", "tas", packing)


def write(data: xr.Dataset, name: str, variable: str, packing: dict[str, float]) -> None:
    """Write CF netCDF with the variable as scaled 16-bit integers."""
    for each in data.variables.values():
        each.encoding = {}
    encoding = {"dtype": "int16", "_FillValue": -32768, "zlib": True, **packing}
    days = {"units": "days since 1850-01-01", "dtype": "int32"}
    data.to_netcdf(HERE / name, encoding={variable: encoding, "time": days})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python make_samples.py SOURCE_DIR")
    main(Path(sys.argv[1]))
