// swift-tools-version: 6.3
import PackageDescription

/// What every target of ours is compiled with.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let package = Package(
    name: "xsfs",
    products: [
        .library(name: "XenstoreProtocol", targets: ["XenstoreProtocol"]),
        .library(name: "XenstoreStore", targets: ["XenstoreStore"]),
    ],
    targets: [
        .target(name: "XenstoreProtocol", swiftSettings: settings),
        .target(
            name: "XenstoreStore",
            dependencies: ["XenstoreProtocol"],
            swiftSettings: settings
        ),
        .target(
            name: "TestSupport",
            dependencies: ["XenstoreProtocol", "XenstoreStore"],
            path: "Tests/TestSupport",
            swiftSettings: settings
        ),
        .testTarget(
            name: "XenstoreStoreTests",
            dependencies: ["TestSupport", "XenstoreProtocol", "XenstoreStore"],
            swiftSettings: settings
        ),
    ]
)
