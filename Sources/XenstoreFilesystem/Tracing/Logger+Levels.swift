package import Logging

extension Logger {
    // A comparison of levels is generic code of another module, and each request asks.

    /// Whether it takes messages of the level trace.
    package var isTracing: Bool {
        if case .trace = logLevel { true } else { false }
    }

    /// Whether it takes messages of the level debug.
    package var isDebugging: Bool {
        switch logLevel {
        case .trace, .debug: true
        default: false
        }
    }
}
