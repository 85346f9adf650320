package fairhttp

// Fault is the header of an answer that no server gave: a rule injected it.
const Fault = "Fairlead-Fault"
