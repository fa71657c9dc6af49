public import Testing

extension Shell {
    /// Expects that a script succeeds, says nothing on standard error, and prints just this.
    public func expect(
        _ script: String,
        prints expected: String = "",
        limit: Duration = patience,
        _ location: SourceLocation = #_sourceLocation
    ) async throws {
        let result = try await run(script, limit: limit)
        #expect(
            result.status == .exited(0) && result.errors.isEmpty && result.output == expected,
            "\(script): \(result), expected \(expected.debugDescription)",
            sourceLocation: location
        )
    }

    /// Expects that a script fails and says why.
    ///
    /// - Parameter status: the only one that will do; nil for any but 0.
    public func expect(
        _ script: String,
        fails reason: String,
        status: Int32? = nil,
        _ location: SourceLocation = #_sourceLocation
    ) async throws {
        let result = try await run(script)
        #expect(
            result.status != .exited(0) && result.errors.contains(reason)
                && (status == nil || result.status == status.map { .exited($0) }),
            "\(script): \(result), expected \(reason)",
            sourceLocation: location
        )
    }
}
