"""Students over a row of numbers, taught on numpy alone: trees and wide nets teach a net small enough for integers."""
