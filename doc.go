// Package fairlead is the map of the library.
package fairlead
