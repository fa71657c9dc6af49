import FilesystemScenarios
import Testing
import XenstoreFilesystem
import XenstoreStore

@Suite("The filesystem's claims, in process")
struct ScenarioTests {
    @Test("hold over the embedded store", arguments: Scenario.all)
    func holds(_ scenario: Scenario) async throws {
        let surface = try await InProcessSurface<InProcessConnection>.make(
            options: scenario.options
        )
        try await scenario.run(surface)
        #expect(surface.reported.isEmpty)
    }

    /// Everything of the contract works inside a transaction.
    @Test(
        "hold inside a transaction",
        arguments: Scenario.all.filter {
            !$0.isAboutTransactions && !$0.options.isReadOnly && !$0.needsEvents
        }
    )
    func holdsInTransaction(_ scenario: Scenario) async throws {
        let surface = try await InProcessSurface<InProcessConnection>.make(
            options: scenario.options
        )
        try await surface.enterTransaction()
        try await scenario.run(surface)
        #expect(surface.reported.isEmpty)
    }
}
